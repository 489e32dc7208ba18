"""Training: pretraining and finetuning on one machine or many."""
