"""The queue: all SQL. Its tables (`schema`), the one writing path (`store`), its verbs and its readers."""
