//! Importers and exporters of Lockstep documents.
