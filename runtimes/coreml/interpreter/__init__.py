"""An interpreter of Core ML's ML programs: saved packages run op by op on any machine."""
