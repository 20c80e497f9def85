"""A long run of the real proxy: does its memory stay flat, is every request accounted for?"""
