//! What a binary needs of the machine it is to start on.
