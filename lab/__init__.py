"""The lab: certificates made at run time and simulated nodes that serve them on loopback."""
