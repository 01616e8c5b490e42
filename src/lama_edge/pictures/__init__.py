"""Pictures and holes to work on: drawn from seeds, or found in the user's folders."""
