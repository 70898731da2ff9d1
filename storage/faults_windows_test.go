package storage

func livesWithAFault() (bool, error) { return false, nil }
