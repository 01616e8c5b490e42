"""What applications use: pictures of any size, files and folders of them."""
