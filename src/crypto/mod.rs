//! Every secret byte lives here; knows no TLS message.
