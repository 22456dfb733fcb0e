"""What other tools wrote, as a study: users' files looked at, and a params.yaml that reads them."""
