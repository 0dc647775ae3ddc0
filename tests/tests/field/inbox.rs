//! The inbox: what was acknowledged, settings that cannot work, and responses that are final.
