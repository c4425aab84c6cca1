//! Runnable examples; see the README beside this file.
