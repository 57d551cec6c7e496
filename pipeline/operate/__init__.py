"""What people type: roll back, revoke, retire, adopt, and what a stack holds."""
