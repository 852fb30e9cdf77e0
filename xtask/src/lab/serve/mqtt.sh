# A broker without passwords.
printf 'listener 1883\nallow_anonymous true\npersistence false\nuser root\n' > "$HOME/mosquitto.conf"
exec mosquitto -c "$HOME/mosquitto.conf"
