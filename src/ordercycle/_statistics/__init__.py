"""Distributions, intervals and tests of means, rates and several looks at once."""
