//! What the programs of the suite share: the shapes and who runs them.

pub mod contestant;
pub mod floor;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod ours;
pub mod plan;
pub mod shape;
pub mod table;
pub mod work;
