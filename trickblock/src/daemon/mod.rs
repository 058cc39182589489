//! The running filter: feeds kept fresh, the control socket.
