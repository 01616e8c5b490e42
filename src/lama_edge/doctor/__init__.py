"""What `lama-edge doctor` looks at: packages, runtimes, exports, tools, and the machine."""
