"""What people look at: tables, pictures, figures."""
