"""What a machine is asked about itself: a module for each subject: a pure parser, and one who asks."""
