//! Three small machines that show how to write one.
