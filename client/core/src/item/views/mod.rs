//! Typed views: what the fields of each kind are called and hold.
//!
//! **Invariants:** a view reads and names, it never owns: fields and kinds that no view knows stay in the document. A
//! field whose value has another type than expected reads as absent and is left alone.
