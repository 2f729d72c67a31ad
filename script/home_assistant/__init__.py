"""Drives a real Home Assistant as a child process: the other scripts use only this.

`instance` has the folder and the process, `lean` one that starts in seconds, `client`
speaks to it by REST and websocket, `accounts` sets up accounts through the forms.
"""
