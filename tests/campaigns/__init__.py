"""Campaigns that look for faults for as long as they are let: `python tests/campaigns --list`."""
