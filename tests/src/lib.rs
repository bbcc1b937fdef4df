pub mod binary;
pub mod bridge;
pub mod clock;
pub mod databases;
pub mod proxy;
pub mod receiver;
pub mod redis_server;
pub mod running;
