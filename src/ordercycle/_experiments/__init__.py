"""Whether it worked: arms, and what they did to customers, from sums that add up."""
