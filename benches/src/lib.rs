//! What the programs of the suite share: the shapes and who runs them.

pub mod contestant;
mod disk;
pub mod durable;
pub mod floor;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod ours;
pub mod plan;
pub mod scenario;
pub mod shape;
pub mod table;
pub mod work;

#[cfg(feature = "peers")]
mod async_dag;
#[cfg(feature = "peers")]
mod cano;
#[cfg(feature = "peers")]
mod dag_flow;
#[cfg(feature = "peers")]
mod dagrs;
#[cfg(feature = "peers")]
mod dagx;
#[cfg(feature = "peers")]
mod sayiir;
