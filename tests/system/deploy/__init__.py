"""The templates of the stack, and the permissions that they grant; needs npm packages (`make check-deploy`)."""
