//! The layers: one delivery, several routes, several layers, and what the log says of each.
