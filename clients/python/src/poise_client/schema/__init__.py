"""What stands in requests and answers: the server checks bodies by these types, and the client makes and reads them."""
