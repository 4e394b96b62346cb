// LoadClient
