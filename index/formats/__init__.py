"""The file formats: each module turns the bytes of its kind of file into Content."""
