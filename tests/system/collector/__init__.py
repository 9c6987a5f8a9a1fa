"""A real collector with the repository's configuration, between the function and fakes of X-Ray and CloudWatch."""
