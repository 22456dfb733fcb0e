"""Labels that people give to pairs: the file that holds them, what is labelled next, and how many it takes."""
