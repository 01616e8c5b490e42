"""An executor that runs graphs operator by operator and rounds every result as declared."""
