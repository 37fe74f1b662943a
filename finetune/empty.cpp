namespace graft {}
