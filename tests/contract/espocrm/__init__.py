"""The simulated EspoCRM against exchanges captured from a real one."""
