"""Old MLflow file stores (`mlruns` folders), for reading only: MLflow has withdrawn its own reader."""
