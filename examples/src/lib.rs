//! Programs that show Farlens at work.
