"""One module for each kind of central log server; each turns a batch into requests and a reply into a verdict."""
