"""The world that the mini-model reads of: people, places, things; stories and facts about them, in several voices."""
