pub mod event;
pub mod ids;
pub mod order_key;
pub mod vector_clock;
