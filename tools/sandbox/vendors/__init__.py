"""The vendor register of the sandbox company: applications, documents, screening, accounts, clearances."""
