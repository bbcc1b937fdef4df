pub mod bridge;
pub mod clock;
pub mod databases;
pub mod proxy;
pub mod redis_server;
