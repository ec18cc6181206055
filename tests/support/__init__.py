"""What tests share: waiting with a deadline, free ports, child processes that never outlive their test."""
