"""Files, terminals and signals: all that passes between simbbm and the process that it is."""
