"""How deeply a model holds the planted belief: items, likelihood suite, free answers, scores."""
