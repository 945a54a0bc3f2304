"""What turkbatch reaches, measured against plain loops over boto3 in the same run."""
