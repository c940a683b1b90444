"""Head models: parameters in, vertices and landmarks out."""
