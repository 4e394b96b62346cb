import LoadClient
