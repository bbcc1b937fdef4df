pub mod clock;
pub mod databases;
pub mod redis_server;
