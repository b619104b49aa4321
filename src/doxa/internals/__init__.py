"""What a model's activations say: truth probes, the adversarial probe, and how far true and false still lie apart."""
